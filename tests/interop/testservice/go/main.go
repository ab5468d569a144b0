// The service of gRPC's interop tests as grpc-go has it, whose connections may grow old.
//
// It prints its port, serves until its input ends or SIGTERM comes, and then prints how many calls it has begun. By
// SIGTERM it stops gracefully: each connection gets a goodbye, and ends with its last call.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // compressed requests are read, and answered likewise
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
)

var (
	address = flag.String("address", "127.0.0.1:0", "where to listen")
	age     = flag.Duration("max_age", 0, "how old a connection may be, 0 for any age")
	grace   = flag.Duration("max_age_grace", 0, "how long its calls may go on behind that, 0 for any time")
	streams = flag.Uint("max_streams", 0, "how many calls a connection may have at once, 0 for any number")
)

var begun atomic.Int64

func main() {
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(options()...)
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	go stop(server)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

func options() []grpc.ServerOption {
	chosen := []grpc.ServerOption{
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: *age, MaxConnectionAgeGrace: *grace}),
		grpc.ChainUnaryInterceptor(countUnary),
		grpc.ChainStreamInterceptor(countStream),
	}
	if *streams > 0 {
		chosen = append(chosen, grpc.MaxConcurrentStreams(uint32(*streams)))
	}
	return chosen
}

func countUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	begun.Add(1)
	return handler(ctx, req)
}

func countStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	begun.Add(1)
	return handler(srv, stream)
}

// stop ends the process: gracefully by SIGTERM, at once with its input.
func stop(server *grpc.Server) {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	orphaned := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(orphaned)
	}()
	select {
	case <-terminated:
		server.GracefulStop()
	case <-orphaned:
		server.Stop()
	}
	fmt.Println(begun.Load())
	time.Sleep(10 * time.Millisecond)
	os.Exit(0)
}
