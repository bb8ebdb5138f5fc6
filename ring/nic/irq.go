package nic

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// numaNode returns the node of a device on the PCI bus, -1 where the machine does not say. The
// files are below root, "/" but in tests.
func numaNode(root, bus string) int {
	b, err := os.ReadFile(filepath.Join(root, "sys/bus/pci/devices", bus, "numa_node"))
	if err != nil {
		return -1
	}
	node, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return -1
	}
	return node
}

// namedIRQs returns the interrupts of a PCI device whose names say that they are those of receive
// queues, by queue.
func namedIRQs(root, bus string) (map[int]int, error) {
	entries, err := os.ReadDir(filepath.Join(root, "sys/bus/pci/devices", bus, "msi_irqs"))
	if err != nil {
		return nil, fmt.Errorf("list interrupts: %w", err)
	}
	all := map[int]int{}
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if queue, ok := queueOf(irqName(root, number)); ok {
			all[queue] = number
		}
	}
	return all, nil
}

// irqName returns what /proc/interrupts calls an interrupt, empty where nothing uses it.
func irqName(root string, number int) string {
	b, err := os.ReadFile(filepath.Join(root, "sys/kernel/irq", strconv.Itoa(number), "actions"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// queueOf returns the receive queue that an interrupt's name says it is for, as drivers write it:
// mlx5_comp3@pci:0000:3b:00.0, ice-eth1-TxRx-3, eth1-Tx-Rx-3, eth1-rx-3, eth1-fp-3,
// virtio3-input.3.
func queueOf(name string) (int, bool) {
	name, _, _ = strings.Cut(name, "@")
	word := strings.TrimRight(name, "0123456789")
	queue, err := strconv.Atoi(name[len(word):])
	if err != nil {
		return 0, false
	}
	word = strings.ToLower(strings.TrimRight(word, "-._"))
	for _, receives := range []string{"rx", "comp", "input", "-fp"} {
		if strings.HasSuffix(word, receives) {
			return queue, true
		}
	}
	return 0, false
}
