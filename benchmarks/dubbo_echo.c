/* A dubbo provider that gives the first argument of each request back, as quickly as one core can.
 *
 * The peer of the client benchmarks: it must not be what is measured. Prints its port, ends when its input closes.
 * Built by benchmarks/servers.py with the system's C compiler.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 16, ROOM = 1 << 20, MOST = 1024 };

struct connection {
    int fd;
    size_t in_used, out_used, out_sent;
    size_t in_room, out_room;
    unsigned char *in, *out;
};

static const unsigned char ATTACHMENTS[] = {'H', 5, 'd', 'u', 'b', 'b', 'o', 5, '2', '.', '0', '.', '2', 'Z'};

/* Size of the hessian string or binary (ASCII, unchunked) at p, its tag included. */
static size_t value_size(const unsigned char *p) {
    unsigned char tag = p[0];
    if (tag <= 0x1f) return 1 + tag;
    if (tag <= 0x2f) return 1 + (tag - 0x20);
    if (tag <= 0x33) return 2 + ((tag - 0x30) << 8) + p[1];
    if (tag <= 0x37) return 2 + ((tag - 0x34) << 8) + p[1];
    if (tag == 'S' || tag == 'B') return 3 + (p[1] << 8) + p[2];
    return 1; /* null, true, false and small ints */
}

static void reserve(unsigned char **buffer, size_t *room, size_t needed) {
    if (needed <= *room) return;
    while (*room < needed) *room *= 2;
    *buffer = realloc(*buffer, *room);
    if (!*buffer) exit(3);
}

static void answer(struct connection *c, const unsigned char *frame, size_t length) {
    int two_way = frame[2] & 0x40, event = frame[2] & 0x20;
    if (!two_way) return;
    const unsigned char *value = frame + HEADER;
    size_t size = 1;
    if (!event) {
        for (int i = 0; i < 5; i++) value += value_size(value);
        size = value_size(value);
    }
    size_t body = event ? 1 : 1 + size + sizeof ATTACHMENTS;
    (void)length;
    reserve(&c->out, &c->out_room, c->out_used + HEADER + body);
    unsigned char *o = c->out + c->out_used;
    o[0] = 0xda, o[1] = 0xbb, o[2] = event ? 0x22 : 0x02, o[3] = 20;
    memcpy(o + 4, frame + 4, 8);
    uint32_t n = htonl((uint32_t)body);
    memcpy(o + 12, &n, 4);
    if (event) {
        o[16] = 'N';
    } else {
        o[16] = 0x94;
        memcpy(o + 17, value, size);
        memcpy(o + 17 + size, ATTACHMENTS, sizeof ATTACHMENTS);
    }
    c->out_used += HEADER + body;
}

static void write_out(int epoll, struct connection *c) {
    while (c->out_sent < c->out_used) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_used - c->out_sent, MSG_NOSIGNAL);
        if (n < 0) break;
        c->out_sent += (size_t)n;
    }
    if (c->out_sent == c->out_used) c->out_sent = c->out_used = 0;
    struct epoll_event e = {.events = EPOLLIN | (c->out_used ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

/* Returns 0 where the connection is over. */
static int read_in(struct connection *c) {
    reserve(&c->in, &c->in_room, c->in_used + ROOM);
    ssize_t n = recv(c->fd, c->in + c->in_used, c->in_room - c->in_used, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) return 0;
    if (n > 0) c->in_used += (size_t)n;
    size_t at = 0;
    while (c->in_used - at >= HEADER) {
        uint32_t body;
        memcpy(&body, c->in + at + 12, 4);
        size_t length = HEADER + ntohl(body);
        if (c->in_used - at < length) break;
        answer(c, c->in + at, length);
        at += length;
    }
    memmove(c->in, c->in + at, c->in_used - at);
    c->in_used -= at;
    return 1;
}

static struct connection *opened(int fd) {
    struct connection *c = calloc(1, sizeof *c);
    int one = 1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fd = fd;
    c->in_room = c->out_room = ROOM;
    c->in = malloc(ROOM);
    c->out = malloc(ROOM);
    return c;
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (void *)&address, size) || listen(listener, 128)) return 1;
    getsockname(listener, (void *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, input = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    for (;;) {
        struct epoll_event ready[MOST];
        int n = epoll_wait(epoll, ready, MOST, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = ready[i].data.ptr;
            if (ready[i].data.ptr == &listener) return 0;
            if (!c) {
                c = opened(accept(listener, NULL, NULL));
                struct epoll_event own = {.events = EPOLLIN, .data.ptr = c};
                epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &own);
            } else if ((ready[i].events & EPOLLIN) && !read_in(c)) {
                close(c->fd);
                free(c->in), free(c->out), free(c);
            } else {
                write_out(epoll, c);
            }
        }
    }
}
