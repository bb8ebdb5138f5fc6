package nic

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestQueueOf(t *testing.T) {
	for name, want := range map[string]int{
		"mlx5_comp3@pci:0000:3b:00.0":  3,
		"ice-eth1-TxRx-12":             12,
		"i40e-enp3s0f0-TxRx-0":         0,
		"eth1-TxRx-7":                  7,
		"eth0-Tx-Rx-5":                 5,
		"enp1s0-rx-2":                  2,
		"eth2-fp-1":                    1,
		"virtio3-input.1":              1,
		"mlx5_async0@pci:0000:3b:00.0": -1, "virtio3-output.1": -1, "enp1s0-tx-2": -1, "eth1": -1,
		"ice-0000:3b:00.0:misc": -1, "virtio3-config": -1, "": -1, "nvme0q3": -1,
		"eth1-TxRx-99999999999999999999": -1,
	} {
		if got, ok := queueOf(name); ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: %d, %v, want %d", name, got, ok, want)
		}
	}
}

func write(t *testing.T, content string, names ...string) {
	t.Helper()
	path := filepath.Join(names...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDeviceFiles(t *testing.T) {
	root, bus := t.TempDir(), "0000:3b:00.0"
	device := filepath.Join(root, "sys/bus/pci/devices", bus)
	if _, err := namedIRQs(root, bus); err == nil || numaNode(root, bus) != -1 {
		t.Error("found what is not there")
	}
	for number, name := range map[string]string{
		"40": "ice-0000:3b:00.0:misc", "41": "ice-eth1-TxRx-0", "42": "ice-eth1-TxRx-1", "x": "",
	} {
		write(t, "msix\n", device, "msi_irqs", number)
		write(t, name+"\n", root, "sys/kernel/irq", number, "actions")
	}
	write(t, "1\n", device, "numa_node")
	got, err := namedIRQs(root, bus)
	if want := map[int]int{0: 41, 1: 42}; err != nil || !maps.Equal(got, want) {
		t.Error(got, err)
	}
	if node := numaNode(root, bus); node != 1 {
		t.Error(node)
	}
	write(t, "many\n", device, "numa_node")
	if node := numaNode(root, bus); node != -1 {
		t.Error(node)
	}
}
