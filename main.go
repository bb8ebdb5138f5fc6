// Command weir detects DDoS attacks on a network from a port mirror or flow export, proves them
// with packets, and takes the victim out of harm's way over BGP. See README.md.
package main

import (
	"os"

	"weir/control/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
