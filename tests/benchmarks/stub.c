/* An upstream that answers OpenAI chat completions at once, on 127.0.0.1, in one thread.
 *
 * usage: stub PORT CHUNKS SECONDS
 *
 * A request with "stream": true gets CHUNKS events, each written on its own, a usage event where the request asks
 * for one, and [DONE]; any other request gets one whole answer. Ends by itself after SECONDS.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_CONNECTIONS 4096
#define MOST_CHUNKS 250
#define MOST_SECONDS 3600
#define REQUEST_BYTES (1 << 20)
#define FULL_SOCKET_WAITS 2000

#define USAGE "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":40,\"total_tokens\":140}"
#define WHOLE \
    "{\"id\":\"chatcmpl-stub\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"stub\",\"choices\":" \
    "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The quick brown fox jumps over the lazy dog " \
    "while the stub answers every request with this same sentence, which is about forty tokens long, so that it " \
    "stands for a short reply.\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]," USAGE "}"
#define CHUNK \
    "data: {\"id\":\"chatcmpl-stub\",\"object\":\"chat.completion.chunk\",\"created\":1700000000," \
    "\"model\":\"stub\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"%s\"},\"logprobs\":null," \
    "\"finish_reason\":%s}]}\n\n"
#define USAGE_CHUNK \
    "data: {\"id\":\"chatcmpl-stub\",\"object\":\"chat.completion.chunk\",\"created\":1700000000," \
    "\"model\":\"stub\",\"choices\":[]," USAGE "}\n\n"

typedef struct {
    char *bytes;
    int length;
} Text;

typedef struct {
    int fd;
    char *buffer;
    size_t length;
} Connection;

static Connection connections[MOST_CONNECTIONS];
static Text whole, stream_head, chunks[MOST_CHUNKS], usage_chunk, stream_end;
static int chunk_count;

static void die(const char *what) {
    fprintf(stderr, "stub: %s\n", what);
    exit(2);
}

static Text text_of(const char *format, ...) {
    Text text;
    va_list arguments;
    va_start(arguments, format);
    text.length = vasprintf(&text.bytes, format, arguments);
    va_end(arguments);
    if (text.length < 0) die("not enough memory");
    return text;
}

static Text chunked(const char *event) { return text_of("%zx\r\n%s\r\n", strlen(event), event); }

static void prepare(void) {
    whole = text_of("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(WHOLE),
                    WHOLE);
    stream_head = text_of("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                          "Transfer-Encoding: chunked\r\nCache-Control: no-cache\r\n\r\n");
    for (int i = 0; i < chunk_count; i++) {
        int is_last = i == chunk_count - 1;
        const char *role = i == 0 ? "\"role\":\"assistant\"," : "";
        Text event = text_of(CHUNK, role, is_last ? "" : " token", is_last ? "\"stop\"" : "null");
        chunks[i] = chunked(event.bytes);
        free(event.bytes);
    }
    usage_chunk = chunked(USAGE_CHUNK);
    stream_end = text_of("e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
}

/* Return 0 where the caller does not read: it must not hold up the others for long. */
static int put(int fd, Text text) {
    int waits = 0;
    for (int sent = 0; sent < text.length;) {
        ssize_t wrote = send(fd, text.bytes + sent, text.length - sent, MSG_NOSIGNAL);
        if (wrote > 0) {
            sent += wrote;
        } else if (errno != EAGAIN || ++waits > FULL_SOCKET_WAITS) {
            return 0;
        } else {
            usleep(50);
        }
    }
    return 1;
}

static void let_go(Connection *c) {
    close(c->fd);
    free(c->buffer);
    c->buffer = 0;
    c->fd = -1;
}

static int is_true(const char *body, size_t length, const char *field) {
    for (const char *end = body + length; (body = memmem(body, end - body, field, strlen(field)));) {
        body += strlen(field);
        while (body < end && (*body == ' ' || *body == ':')) body++;
        if (end - body >= 4 && !memcmp(body, "true", 4)) return 1;
    }
    return 0;
}

static int answer(int fd, const char *body, size_t length) {
    if (!is_true(body, length, "\"stream\"")) return put(fd, whole);
    if (!put(fd, stream_head)) return 0;
    for (int i = 0; i < chunk_count; i++)
        if (!put(fd, chunks[i])) return 0;
    if (is_true(body, length, "\"include_usage\"") && !put(fd, usage_chunk)) return 0;
    return put(fd, stream_end);
}

/* Return the bytes of the request that is whole in the buffer, 0 where more must come, -1 where none ever will. */
static long request_length(const Connection *c, size_t *head) {
    const char *end = memmem(c->buffer, c->length, "\r\n\r\n", 4);
    if (!end) return c->length == REQUEST_BYTES ? -1 : 0;
    *head = end - c->buffer + 4;
    long body = 0;
    int is_chunked = 0;
    for (const char *line = c->buffer; line < end;) {
        const char *stop = memchr(line, '\n', end + 4 - line);
        if (!strncasecmp(line, "content-length:", 15)) body = atol(line + 15);
        if (!strncasecmp(line, "transfer-encoding:", 18)) is_chunked = 1;
        line = stop + 1;
    }
    if (is_chunked) {
        const char *last = memmem(end + 2, c->length - *head + 2, "\r\n0\r\n\r\n", 7);
        return last ? last - c->buffer + 7 : (c->length == REQUEST_BYTES ? -1 : 0);
    }
    if (body < 0 || *head + body > REQUEST_BYTES) return -1;
    return c->length >= *head + body ? (long)(*head + body) : 0;
}

static void read_from(Connection *c) {
    ssize_t got = read(c->fd, c->buffer + c->length, REQUEST_BYTES - c->length);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        let_go(c);
        return;
    }
    c->length += got;
    size_t head = 0;
    long length;
    while ((length = request_length(c, &head)) > 0) {
        if (!answer(c->fd, c->buffer + head, length - head)) length = -1;
        if (length < 0) break;
        memmove(c->buffer, c->buffer + length, c->length - length);
        c->length -= length;
    }
    if (length < 0) let_go(c);
}

static void take_callers(int listener, int poll_fd) {
    int fd, one = 1;
    while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
        Connection *c = fd < MOST_CONNECTIONS ? &connections[fd] : 0;
        if (!c || !(c->buffer = malloc(REQUEST_BYTES))) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->fd = fd;
        c->length = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on(int port) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1024)) die("cannot listen");
    return listener;
}

int main(int argc, char **argv) {
    if (argc != 4) die("usage: stub PORT CHUNKS SECONDS");
    chunk_count = atoi(argv[2]);
    int seconds = atoi(argv[3]);
    if (chunk_count < 1 || chunk_count > MOST_CHUNKS) die("CHUNKS must be 1 to 250");
    if (seconds < 1 || seconds > MOST_SECONDS) die("SECONDS must be 1 to 3600");
    alarm(seconds);
    prepare();
    int listener = listen_on(atoi(argv[1])), poll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poll_fd, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                take_callers(listener, poll_fd);
            else if (connections[events[i].data.fd].buffer)
                read_from(&connections[events[i].data.fd]);
        }
    }
}
