package prometheus

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// What one client can take of the server, and for how long.
const (
	requestTimeout = 5 * time.Second
	answerTimeout  = 10 * time.Second // from the request on
	maxHeader      = 16 << 10         // bytes
	maxConnections = 8
	stopPatience   = 2 * time.Second
)

// Listen opens the TCP address, such as 127.0.0.1:9108, for Serve.
func Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bind metrics on %s: %w", addr, err)
	}
	return l, nil
}

// Serve answers requests on l until ctx ends, then finishes those under way, for two seconds at
// most, closes l and returns nil. It returns an error, which has l closed too, when it cannot go
// on before. Of more than 8 connections the latest wait; each is good for one request, so that
// idle ones take nobody's place.
func (e *Exporter) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:     e,
		ReadTimeout: requestTimeout, ReadHeaderTimeout: requestTimeout,
		WriteTimeout: answerTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: e.serverLog(),
	}
	server.SetKeepAlivesEnabled(false)
	var why error
	ended := make(chan struct{})
	go func() {
		why = server.Serve(netutil.LimitListener(l, maxConnections))
		close(ended)
	}()
	select {
	case <-ended:
		_ = server.Close() // with the connections that it still had
		return fmt.Errorf("serve metrics on %s: %w", l.Addr(), why)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	if server.Shutdown(patience) != nil {
		_ = server.Close() // of whoever is still reading
	}
	<-ended
	return nil
}

// serverLog is where the HTTP server writes what goes wrong with connections.
func (e *Exporter) serverLog() *log.Logger {
	if e.Log == nil {
		return log.New(io.Discard, "", 0)
	}
	return slog.NewLogLogger(e.Log.Handler(), slog.LevelWarn)
}
