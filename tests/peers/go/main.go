// Program requests is a net/http server, and a client that drains bodies or does not.
//
//	requests server BODY_BYTES
//	requests client URL COUNT drain|leave
//	requests resolve HOST PORT
//
// The first two speak JSON lines, and wait for a line on stdin: the client before its first request, the server before
// it ends. The third is a client of another kind: see resolve.go.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"
)

func main() {
	switch role, arguments := os.Args[1], os.Args[2:]; role {
	case "server":
		serve(number(arguments[0]))
	case "client":
		request(arguments[0], number(arguments[1]), arguments[2] == "drain")
	case "resolve":
		resolve(arguments[0], arguments[1])
	default:
		panic("no such role: " + role)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

// say prints one line of JSON.
func say(value any) {
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		panic(err)
	}
}

// waitForLine blocks until somebody says a line, or stdin ends.
func waitForLine() {
	bufio.NewReader(os.Stdin).ReadString('\n')
}
