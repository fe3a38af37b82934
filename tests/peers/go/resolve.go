package main

import (
	"fmt"
	"net"
)

// resolve asks for a host by Go's own resolver, not by the C library, and closes a connection to it without reading a
// byte. See tests/src/peer.rs for the few words it speaks.
func resolve(host, port string) {
	dialer := &net.Dialer{Resolver: &net.Resolver{PreferGo: true}}
	conn, err := dialer.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		panic(err)
	}
	fmt.Println(conn.LocalAddr().(*net.TCPAddr).Port)
	waitForLine()
	conn.Close()
	fmt.Println("closed")
}
