// Command grpc_go is a gRPC server in Go that gives each request back; it prints its port, and ends with its input.
//
// With a certificate and its key as arguments it speaks TLS. What it serves is what benchmarks/echo_server.py does.
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
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

const answerBytes = 100

var traces atomic.Uint64

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

func echo(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new([]byte)
	return request, decode(request)
}

// traced answers with a trailer that no other answer has.
func traced(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new([]byte)
	if err := decode(request); err != nil {
		return nil, err
	}
	number := traces.Add(1)
	trace := fmt.Sprintf("%016x-%016x", number*0x9E3779B97F4A7C15, number)
	return request, grpc.SetTrailer(ctx, metadata.Pairs("trace-id", trace))
}

// repeat gives as many answers as its request, a number in text, says.
func repeat(_ any, stream grpc.ServerStream) error {
	request, answer := new([]byte), make([]byte, answerBytes)
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	times, err := strconv.Atoi(string(*request))
	for ; err == nil && times > 0; times-- {
		err = stream.SendMsg(&answer)
	}
	return err
}

var service = grpc.ServiceDesc{
	ServiceName: "callahead.bench.Echo",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "echo", Handler: echo}, {MethodName: "traced", Handler: traced}},
	Streams:     []grpc.StreamDesc{{StreamName: "repeat", Handler: repeat, ServerStreams: true}},
}

func options() []grpc.ServerOption {
	options := []grpc.ServerOption{grpc.ForceServerCodecV2(raw{})}
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
