// Package api is the daemon's HTTP interface: JSON over a unix socket, described by an OpenAPI
// document that it serves itself. It has the answers' types, the server that asks a Backend for
// them, and the client that every other face of weir (command line, terminal screen) goes through.
//
// The server knows nothing of packets: who assembles the daemon implements Backend.
package api
