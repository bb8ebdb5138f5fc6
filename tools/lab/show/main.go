// Command show lets a person watch an attack live: it makes a lab, runs weir in it on ordinary
// traffic with an attack now and then, and shows `weir top` until that is left. It needs root and
// Linux; its argument is the weir to run.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "show: %v\n", err)
		os.Exit(1)
	}
}
