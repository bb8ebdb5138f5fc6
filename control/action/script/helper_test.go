package script

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// asHelper is set to a program's path in a process that is to run it and say how that ended.
const asHelper = "WEIR_SCRIPT_HELPER"

func helper(path string) (status int) {
	r, err := New(Config{Path: path}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	r.Queue(job("192.0.2.1", Ban, ""))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil || r.Stats().Done != 1 {
		fmt.Println(err, r.Stats())
		return 1
	}
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Printf("%s", own)
	return 0
}
