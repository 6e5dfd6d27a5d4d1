// Command postern is the mail server and the command that administers it.
//
// Each command has a file of its own, which turns arguments into a call and the answer into text or JSON; what is done
// is done in package serve (the server's process) and behind package admin (everything about domains, people, queue and
// policy, in the running server).
package main

import "os"

// version is set by the linker: see the Makefile.
var version = "devel"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
