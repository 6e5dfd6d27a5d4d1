// Package admin is the one door through which a running server is administered: HTTP and JSON on a Unix socket in the
// data directory.
//
// A request comes from [Client], which the `postern` command uses, or from anything else that speaks HTTP to the socket
// (`curl --unix-socket`). The kernel says who is at the other end, and only root and the server's own user are let in
// ([Listen]); there is no password to leak. It then goes through the table in routes.go, which knows for each route the
// form of what goes in and out, decodes it strictly, and calls the handler; the handlers hold no rules of their own, they
// ask the directory, the settings, the queue. The same table makes the OpenAPI document, so that it cannot differ from
// what is served.
//
// Paths begin with the version. Within v1 routes and fields are only added.
package admin
