package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// request makes so many requests one after the other and tells, for each connection it closed, how much it had read.
// Not to drain the body before Close is the mistake that the observer is for.
func request(url string, count int, drain bool) {
	connections := &connections{}
	transport := &http.Transport{DialContext: connections.dial}
	client := &http.Client{Transport: transport}
	say(map[string]any{"ready": true})
	waitForLine()
	for i := 0; i < count; i++ {
		response, err := client.Get(url)
		if err != nil {
			panic(err)
		}
		if drain {
			io.Copy(io.Discard, response.Body)
		}
		response.Body.Close()
	}
	transport.CloseIdleConnections()
	connections.open.Wait()
	say(map[string]any{"done": count})
	// Whoever watches us may now look at our late data, too.
	waitForLine()
}

// firstPort and the ports after it are below those that the kernel gives out.
const firstPort = 20000

// connections dials, and counts what each connection reads.
type connections struct {
	open  sync.WaitGroup
	count atomic.Int64
}

// dial gives each connection a port of its own: the kernel gives out one that a reset has set free a second time.
func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	local := &net.TCPAddr{Port: firstPort + int(c.count.Add(1))}
	conn, err := (&net.Dialer{LocalAddr: local}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &countingConn{Conn: conn, open: &c.open}, nil
}

type countingConn struct {
	net.Conn
	open *sync.WaitGroup
	read atomic.Int64
	once sync.Once
}

func (c *countingConn) Read(buffer []byte) (int, error) {
	count, err := c.Conn.Read(buffer)
	c.read.Add(int64(count))
	return count, err
}

// Close returns after the descriptor is closed: nothing is read any more, the count is final.
func (c *countingConn) Close() error {
	port := c.LocalAddr().(*net.TCPAddr).Port
	err := c.Conn.Close()
	c.once.Do(func() {
		say(map[string]any{"port": port, "read": c.read.Load()})
		c.open.Done()
	})
	return err
}
