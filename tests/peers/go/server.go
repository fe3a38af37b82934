package main

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
)

// serve answers every request with a body of so many bytes, and tells how many connections it took.
func serve(bodyBytes int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	counting := &countingListener{Listener: listener}
	body := bytes.Repeat([]byte{'x'}, bodyBytes)
	go http.Serve(counting, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(bodyBytes))
		w.Write(body)
	}))
	say(map[string]any{"listening": listener.Addr().String()})
	waitForLine()
	say(map[string]any{"accepted": counting.accepted.Load()})
}

type countingListener struct {
	net.Listener
	accepted atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return conn, err
}
