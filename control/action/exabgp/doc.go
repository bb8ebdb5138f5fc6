// Package exabgp announces blackhole routes through an ExaBGP that reads commands from a named
// pipe, with the lines that FastNetMon writes, for IPv4 and IPv6.
//
// A named pipe has no memory and gives no answer: what a reader took along when it died is lost,
// and nothing says so. The state is therefore kept here, and told again: all of it whenever a
// reader is there anew, and all of it once a minute, since an ExaBGP that was killed leaves its
// reader behind, which swallows some lines while the next ExaBGP's reader is there already.
// ExaBGP takes no notice of a route that it has. A withdrawal is told three times in this way; a
// route that was never told is not withdrawn. Nothing here ever waits for the pipe.
//
// ExaBGP keeps its routes when weir dies, whatever their lease: the weir that comes next
// withdraws those that it no longer wants (Pipe.Withdraw).
//
// In ExaBGP's configuration:
//
//	process weir { run /bin/cat /run/exabgp/weir; encoder text; }
//
// and in each neighbor `api { processes [ weir ]; }`. ExaBGP must be started with
// exabgp.api.ack=false in its environment: else it answers each line with one that nobody reads,
// and stops for good, with its sessions, when that pipe is full (4.2.21: after some 20,000).
package exabgp
