// Package warden is the line between what needs root and everything else.
//
// `postern serve`, started as root, becomes the warden: it binds the ports ([Bind]), starts itself again as the
// unprivileged owner of the data directory ([Run]), and from then on does nothing but wait, pass signals on, and answer
// the few calls of [Parent] over a socket pair. All mail, all TLS, all parsing of what strangers send happens in the
// child ([FromEnvironment]), which has the bound sockets, no capabilities, and no way to gain any (no_new_privs).
//
// The warden believes nothing that the child says. A call names what is wanted, never a path: "the certificate of the
// configuration", so that a child that has been taken over can ask for nothing that it could not have had. Messages are
// bounded. What later needs root (firewall, containers, updates) becomes a call here.
//
// The warden restarts nothing: when the child ends, it ends with the child's exit code, and systemd decides.
package warden
