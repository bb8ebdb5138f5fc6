// Package script runs a program of the operator's when an attack begins and when it is over, by
// FastNetMon's contract: its arguments are address, direction, packets per second and "ban" or
// "unban", and what there is to say comes on its standard input.
//
// There is no shell: the arguments are made from an address and from numbers, and reach the
// program as they are. The program is run only if root or weir's own user decides what it is:
// the file, and every folder and link on the way to it, belong to one of the two and are
// writable for nobody else. It gets an environment of nothing but PATH, the folder /, a process
// group of its own, no descriptor of weir's but the three of every program, and none of the
// capabilities that weir has as an ordinary user. (As root, weir runs it as root.)
//
// A job is its whole process group: what the program leaves running in the background belongs to
// it until Config.Timeout. Then the group is asked to end, and two seconds later it is killed.
// A process that moves to a group of its own (setsid, a daemon) escapes, on every system: weir
// could only follow it by being the parent of all orphans, and then would have to reap children
// that are none of its own. If it holds the program's output, Stats.Left tells; it is ended with
// the service, by a service manager that knows all processes of one (systemd's KillMode).
package script
