package daemon

import (
	"fmt"
	"os"
	"time"

	"weir/control/config"
	"weir/fastpath"
	"weir/fastpath/filter"
)

// maxScript bounds the script's file, bytes.
const maxScript = 1 << 20

// loadFilter reads the files that say what is not counted. The error names the file and the place.
func loadFilter(c *config.Filter) (f fastpath.Filter, err error) {
	if c.Rules != "" {
		in, err := os.Open(c.Rules)
		if err != nil {
			return f, fmt.Errorf("filter.rules: %w", err)
		}
		defer in.Close()
		if f.Rules, err = filter.ParseRules(in, c.Rules); err != nil {
			return f, fmt.Errorf("filter.rules: %w", err)
		}
	}
	if c.Lua == "" {
		return f, nil
	}
	info, err := os.Stat(c.Lua)
	if err != nil {
		return f, fmt.Errorf("filter.lua: %w", err)
	}
	if info.Size() > maxScript {
		return f, fmt.Errorf("filter.lua: %s has %d bytes, more than %d", c.Lua, info.Size(),
			maxScript)
	}
	source, err := os.ReadFile(c.Lua)
	if err != nil {
		return f, fmt.Errorf("filter.lua: %w", err)
	}
	if f.Script, err = filter.NewScript(source, c.Lua); err != nil {
		return f, fmt.Errorf("filter.lua: %w", err)
	}
	f.Budget = time.Duration(c.LuaBudget) * time.Second / 100
	return f, nil
}
