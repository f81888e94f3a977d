/* A closed-loop HTTP load client: CONNECTIONS keep-alive connections to 127.0.0.1, one request in flight on each.
 *
 * usage: load PORT PATH CONNECTIONS COUNT SECONDS BODIES WARMUP
 *
 * BODIES is a file with one JSON body per line; requests take them in turn. The first WARMUP answers, or those of the
 * first quarter of the time, are not measured. The run ends after COUNT further requests or SECONDS, whichever comes
 * first, and in no case later than SECONDS + GRACE_S. Prints one JSON object; times are microseconds. First byte means
 * the first byte of the body, not of the headers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RESPONSE_BYTES (1 << 20)
#define BODIES_BYTES (64 << 20)
#define MOST_CONNECTIONS 1024
#define MOST_REQUESTS 1000000
#define MOST_BODIES 65536
#define MOST_SECONDS 120
#define MOST_ERRORS 200
#define GRACE_S 10

typedef struct {
    int fd;
    char *buffer;
    size_t length, header_length;
    long content_length;
    int is_chunked, says_close, status, in_flight;
    double sent_us, first_us;
} Connection;

typedef struct {
    char *bytes;
    size_t length;
} Request;

static Request requests[MOST_BODIES];
static long request_count, request_next;
static int port, poll_fd;
static const char *headers = "";

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void die(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, long count, double share) {
    return count ? sorted[(long)((count - 1) * share)] : 0;
}

static void read_bodies(const char *file, const char *path) {
    char *all = malloc(BODIES_BYTES + 1);
    FILE *in = fopen(file, "rb");
    if (!in || !all) die("cannot read the file of bodies");
    size_t length = fread(all, 1, BODIES_BYTES, in);
    if (!feof(in)) die("the file of bodies is longer than 64 MB");
    fclose(in);
    char *end = all + length;
    for (char *line = all; line < end && request_count < MOST_BODIES;) {
        char *stop = memchr(line, '\n', end - line);
        if (!stop) stop = end;
        size_t body = stop - line;
        if (body) {
            Request *request = &requests[request_count++];
            request->bytes = malloc(body + strlen(path) + strlen(headers) + 256);
            int head = sprintf(request->bytes,
                               "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                               "Accept: */*\r\nUser-Agent: load\r\n%sContent-Length: %zu\r\n\r\n",
                               path, port, headers, body);
            memcpy(request->bytes + head, line, body);
            request->length = head + body;
        }
        line = stop + 1;
    }
    free(all);
    if (!request_count) die("the file of bodies is empty");
}

static void open_connection(Connection *c) {
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (c->fd < 0 || connect(c->fd, (void *)&address, sizeof address)) die("cannot connect");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void reopen(Connection *c) {
    epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, 0);
    close(c->fd);
    open_connection(c);
}

static void send_request(Connection *c) {
    Request *request = &requests[request_next++ % request_count];
    c->length = c->header_length = 0;
    c->content_length = -1;
    c->is_chunked = c->says_close = c->status = 0;
    c->first_us = 0;
    c->in_flight = 1;
    c->sent_us = now_us();
    for (size_t sent = 0; sent < request->length;) {
        ssize_t wrote = send(c->fd, request->bytes + sent, request->length - sent, MSG_NOSIGNAL);
        if (wrote <= 0) return; /* the read that follows sees the closed connection */
        sent += wrote;
    }
}

static void parse_headers(Connection *c) {
    char *end = memmem(c->buffer, c->length, "\r\n\r\n", 4);
    if (!end || c->length < 12) return;
    c->header_length = end - c->buffer + 4;
    c->status = atoi(c->buffer + 9);
    for (char *line = c->buffer; line < end;) {
        char *stop = memchr(line, '\n', end + 4 - line);
        if (!stop) break;
        if (!strncasecmp(line, "content-length:", 15)) c->content_length = atol(line + 15);
        if (!strncasecmp(line, "transfer-encoding:", 18) && memmem(line, stop - line, "chunked", 7)) c->is_chunked = 1;
        if (!strncasecmp(line, "connection:", 11) && memmem(line, stop - line, "close", 5)) c->says_close = 1;
        line = stop + 1;
    }
}

static int is_complete(const Connection *c) {
    if (!c->header_length) return 0;
    size_t body = c->length - c->header_length;
    if (!c->is_chunked) return c->content_length >= 0 && body >= (size_t)c->content_length;
    const char *end = c->buffer + c->length;
    return body >= 5 && !memcmp(end - 5, "0\r\n\r\n", 5) && (body == 5 || end[-6] == '\n');
}

static void keep_problem(char *kept, size_t size, const Connection *c) {
    if (kept[0]) return;
    if (!c->length) {
        snprintf(kept, size, "the connection was closed");
        return;
    }
    size_t count = c->length < size - 1 ? c->length : size - 1;
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = c->buffer[i];
        kept[i] = (byte == '"' || byte == '\\' || byte < 32 || byte > 126) ? ' ' : byte;
    }
    kept[count] = 0;
}

int main(int argc, char **argv) {
    if (argc != 8 && argc != 9) die("usage: load PORT PATH CONNECTIONS COUNT SECONDS BODIES WARMUP [HEADERS]");
    if (argc == 9) headers = argv[8]; /* each ends in CR LF */
    port = atoi(argv[1]);
    long connections = atol(argv[3]), count = atol(argv[4]), warmup = atol(argv[7]);
    double seconds = atof(argv[5]);
    if (connections < 1 || connections > MOST_CONNECTIONS) die("CONNECTIONS must be 1 to 1024");
    if (count < 1 || count > MOST_REQUESTS || warmup < 0 || warmup > MOST_REQUESTS) die("COUNT or WARMUP is too large");
    if (!(seconds > 0 && seconds <= MOST_SECONDS)) die("SECONDS must be at most 120");
    if (strlen(argv[2]) > 1000) die("PATH is too long");
    read_bodies(argv[6], argv[2]);

    poll_fd = epoll_create1(0);
    Connection *all = calloc(connections, sizeof *all);
    double *whole_us = malloc(sizeof *whole_us * (count + connections));
    double *first_us = malloc(sizeof *first_us * (count + connections));
    if (!all || !whole_us || !first_us) die("not enough memory");
    char problem[280] = "";
    long sent = 0, done = 0, answered = 0, measured = 0, errors = 0, in_flight = connections;
    double started = now_us(), measured_from = started, last_done = started, total_us = 0, bytes = 0;
    double deadline = started + seconds * 1e6, warm_by = started + seconds * 1e6 / 4;
    int is_warm = warmup == 0;

    for (long i = 0; i < connections; i++) {
        all[i].buffer = malloc(RESPONSE_BYTES);
        if (!all[i].buffer) die("not enough memory");
        open_connection(&all[i]);
        send_request(&all[i]);
        sent++;
    }
    struct epoll_event events[256];
    while (in_flight > 0 && now_us() < deadline + GRACE_S * 1e6) {
        int ready = epoll_wait(poll_fd, events, 256, 1000);
        for (int i = 0; i < ready; i++) {
            Connection *c = events[i].data.ptr;
            ssize_t got = read(c->fd, c->buffer + c->length, RESPONSE_BYTES - c->length);
            double at = now_us();
            int was_closed = got <= 0;
            if (!c->in_flight) {
                /* an idle connection that the server lets go, or that sends what nobody asked for */
                epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, 0);
                continue;
            }
            if (!was_closed) {
                c->length += got;
                bytes += got;
                if (!c->header_length) parse_headers(c);
                if (!c->first_us && c->header_length && c->length > c->header_length) c->first_us = at;
                if (!is_complete(c)) continue;
            }
            c->in_flight = 0;
            in_flight--;
            done++;
            if (was_closed || c->status != 200) {
                errors++;
                keep_problem(problem, sizeof problem, c);
            } else if (is_warm) {
                answered++;
                last_done = at;
                /* one that was sent while connections were still being accepted tells nothing of the steady state */
                if (c->sent_us >= measured_from && measured < count + connections) {
                    whole_us[measured] = at - c->sent_us;
                    first_us[measured] = (c->first_us ? c->first_us : at) - c->sent_us;
                    total_us += whole_us[measured++];
                }
            }
            if (!is_warm && (done >= warmup || at > warm_by)) {
                is_warm = 1;
                measured_from = last_done = at;
            }
            if (sent < count + warmup && at < deadline && errors < MOST_ERRORS) {
                if (was_closed || c->says_close) reopen(c);
                send_request(c);
                sent++;
                in_flight++;
            }
        }
    }
    double elapsed_s = (last_done - measured_from) / 1e6;
    qsort(whole_us, measured, sizeof *whole_us, ascending);
    qsort(first_us, measured, sizeof *first_us, ascending);
    printf("{\"done\":%ld,\"measured\":%ld,\"errors\":%ld,\"unanswered\":%ld,\"elapsed_s\":%.4f,\"per_second\":%.1f,"
           "\"mean_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"first_p50_us\":%.1f,"
           "\"first_p99_us\":%.1f,\"bytes\":%.0f,\"problem\":\"%s\"}\n",
           done, measured, errors, in_flight, elapsed_s, elapsed_s > 0 ? answered / elapsed_s : 0,
           measured ? total_us / measured : 0, quantile(whole_us, measured, .5), quantile(whole_us, measured, .99),
           quantile(whole_us, measured, 1), quantile(first_us, measured, .5), quantile(first_us, measured, .99),
           bytes, problem);
    return 0;
}
