//! Go programs, stripped and not.

use std::process::Command;

use super::{
    ask::{settled, symbolizer, told},
    program::{Scratch, Told},
    suite::{Need, tests},
};

tests![
    [Need::Tool("go")] a_whole_program_shows_who_closed,
    [Need::Tool("go")] a_stripped_program_shows_who_closed,
    [Need::Tool("go")] a_stripped_position_independent_program_shows_who_closed,
];

/// Tells the stack of a goroutine that closes a connection: the transport does when a body was left unread.
const SOURCE: &str = r#"
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"unsafe"
)

func framePointer() uintptr

var line = make(chan string, 1)

type conn struct{ net.Conn }

//go:noinline
func tell() {
	stack := []string{}
	for frame := framePointer(); frame != 0; frame = *(*uintptr)(unsafe.Pointer(frame)) {
		address := *(*uintptr)(unsafe.Pointer(frame + 8))
		stack = append(stack, fmt.Sprintf("%x", address))
	}
	select {
	case line <- strings.Join(stack, " "):
	default:
	}
}

func closing() { tell() } // line 35: small enough to be inlined

func (c *conn) Close() error {
	closing() // line 38
	return c.Conn.Close()
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 1<<20))
	}))
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := net.Dial(network, address)
		return &conn{c}, err
	}}}
	response, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	response.Body.Close()
	fmt.Println(<-line)
	bufio.NewReader(os.Stdin).ReadString('\n')
}
"#;

const ASSEMBLY: &str = "
#include \"textflag.h\"
TEXT ·framePointer(SB), NOSPLIT, $0-8
	MOVQ BP, ret+0(FP)
	RET
";

fn build(scratch: &Scratch, flags: &[&str]) -> Command {
    scratch.write("main.go", SOURCE);
    scratch.write("frame_amd64.s", ASSEMBLY);
    scratch.write("go.mod", "module tell\n\ngo 1.18\n");
    scratch.run("go", &[&["build", "-o", "tell"], flags, &["."]].concat());
    Command::new(scratch.path("tell"))
}

fn shows_the_reader(flags: &[&str]) {
    let scratch = Scratch::new();
    let program = Told::start(&mut build(&scratch, flags));
    let frames = settled(&symbolizer(), &program.request());
    let read_loop = frames.iter().find(|frame| frame.symbol.as_deref() == Some("net/http.(*persistConn).readLoop"));
    let read_loop = read_loop.unwrap_or_else(|| panic!("{flags:?}: {:#?}", told(&frames)));
    assert!(read_loop.line.is_some_and(|line| line > 1000), "{read_loop:?}");
    assert!(read_loop.file.as_ref().unwrap().ends_with("net/http/transport.go"));
    assert_eq!(frames.last().unwrap().symbol.as_deref(), Some("runtime.goexit"), "{:#?}", told(&frames));
    assert!(frames.iter().all(|frame| frame.symbol.is_some()), "{:#?}", told(&frames));
    let own: Vec<String> = told(&frames).into_iter().take(2).collect();
    assert_eq!(own, ["+main.closing main.go:35", "main.(*conn).Close main.go:38"], "{flags:?}");
}

fn a_whole_program_shows_who_closed() {
    shows_the_reader(&[]);
}

fn a_stripped_program_shows_who_closed() {
    shows_the_reader(&["-ldflags", "-s -w"]);
}

fn a_stripped_position_independent_program_shows_who_closed() {
    shows_the_reader(&["-buildmode=pie", "-ldflags", "-s -w"]);
}
