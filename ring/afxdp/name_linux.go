package afxdp

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// ProgramName returns what the kernel calls the BPF program of that number; those of a Mirror begin
// with "weir". It takes CAP_BPF or CAP_SYS_ADMIN.
func ProgramName(id uint32) (string, error) {
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return "", fmt.Errorf("find BPF program %d: %w", id, err)
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return "", fmt.Errorf("ask about BPF program %d: %w", id, err)
	}
	return info.Name, nil
}
