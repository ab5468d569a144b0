// Command grpc_go is a gRPC server in Go that gives each request back; it prints its port, and ends with its input.
//
// With a certificate and its key as arguments it speaks TLS. A call whose metadata have "trailer" gets a trailer of its
// own, and one of "repeat" as many answers as its request, a number in text, says.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

const longest = 1 << 30 // of streams at once: a thousand of them are measured

var count atomic.Uint64

// raw hands messages on as the bytes that they are.
type raw struct{}

func (raw) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*message.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

func (raw) Name() string { return "raw" }

func echo(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var request []byte
	if err := decode(&request); err != nil {
		return nil, err
	}
	if asked, _ := metadata.FromIncomingContext(ctx); len(asked.Get("trailer")) > 0 {
		own := fmt.Sprintf("%016x-%016x", count.Add(1)*0x9E3779B97F4A7C15, count.Load())
		if err := grpc.SetTrailer(ctx, metadata.Pairs("trace-id", own)); err != nil {
			return nil, err
		}
	}
	return &request, nil
}

func repeat(_ any, stream grpc.ServerStream) error {
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	times, err := strconv.Atoi(string(request))
	if err != nil {
		return err
	}
	answer := make([]byte, 100)
	for range times {
		if err := stream.SendMsg(&answer); err != nil {
			return err
		}
	}
	return nil
}

var service = grpc.ServiceDesc{
	ServiceName: "callahead.bench.Echo",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "echo", Handler: echo}},
	Streams:     []grpc.StreamDesc{{StreamName: "repeat", Handler: repeat, ServerStreams: true}},
}

func options() []grpc.ServerOption {
	var codec encoding.CodecV2 = raw{}
	options := []grpc.ServerOption{grpc.ForceServerCodecV2(codec), grpc.MaxConcurrentStreams(longest)}
	if len(os.Args) < 3 {
		return options
	}
	certificate, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	return append(options, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(options()...)
	server.RegisterService(&service, nil)
	go func() { log.Fatal(server.Serve(listener)) }()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
}
