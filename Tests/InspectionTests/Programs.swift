/// Programs in bad states. They say `ready` when they are in it.
enum Programs {
    static let states = """
        #include <pthread.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/socket.h>
        #include <netinet/in.h>
        #include <arpa/inet.h>
        #include <unistd.h>
        volatile int x;
        static void ready(void) { write(1, "ready\\n", 6); }
        static inline __attribute__((always_inline)) void spin_inside(void) { for (;;) x++; }
        __attribute__((noinline)) void busy_loop(void) { spin_inside(); }
        __attribute__((noinline)) int blocked_read(int fd) { char b; return (int)read(fd, &b, 1) + x; }
        static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
        static pthread_barrier_t both;
        __attribute__((noinline)) void take_second(void) { pthread_mutex_lock(&second); x++; }
        __attribute__((noinline)) void take_first(void) { pthread_mutex_lock(&first); x++; }
        static void *other(void *p) {
            pthread_mutex_lock(&second);
            pthread_barrier_wait(&both);
            ready();
            take_first();
            return p;
        }
        int main(int c, char **v) {
            int p[2];
            pthread_t t;
            if (c < 2) return 1;
            if (!strcmp(v[1], "busy")) { ready(); busy_loop(); }
            if (!strcmp(v[1], "read")) { if (pipe(p)) return 1; ready(); return blocked_read(p[0]); }
            if (!strcmp(v[1], "socket")) {
                struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
                int s = socket(AF_INET, SOCK_STREAM, 0);
                if (bind(s, (void *)&a, sizeof a) || listen(s, 1)) return 1;
                ready();
                return blocked_read(accept(s, 0, 0));
            }
            if (!strcmp(v[1], "deadlock")) {
                pthread_barrier_init(&both, 0, 2);
                pthread_mutex_lock(&first);
                pthread_create(&t, 0, other, 0);
                pthread_barrier_wait(&both);
                take_second();
            }
            return 0;
        }
        """

    /// Two functions, one of them inlined, at known lines.
    static let inlined = """
        int sink;
        static inline __attribute__((always_inline)) void inner(int *at) {
            *at = 7;
        }
        __attribute__((noinline)) void outer(int *at) {
            inner(at);
            sink++;
        }
        int main(void) { outer(&sink); return sink; }
        """

    /// A library that crashes in a place that `-DLINES=` moves by a line.
    static func plugin(shift: Int) -> String {
        String(repeating: "\n", count: shift) + """
            #include <pawl.h>
            __attribute__((noinline)) static int csv_parse(volatile int *row) { return *row + 1; }
            static int32_t parse(void *user, pawl_attempt *attempt, pawl_bytes args) {
                (void)user, (void)args, (void)attempt;
                return csv_parse((volatile int *)16) > 0 ? PAWL_OK : PAWL_E_FAILED;
            }
            static const pawl_handler handlers[] = {{.struct_size = sizeof(pawl_handler), .name = "t.parse", .run = parse}};
            PAWL_PLUGIN("t", "1.0.0", handlers)
            """
    }
}
