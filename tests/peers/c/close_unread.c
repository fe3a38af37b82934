// Closes one connection without reading a byte of it, from three functions deep. See tests/src/peer.rs for the few words
// it speaks. The functions can be a library of their own (-DLIBRARY, -DPROGRAM), and another thread can run (-DTHREAD).
#include <unistd.h>

int handle_request(int connection);

#ifndef PROGRAM
int close_socket(int descriptor) {
    int result = close(descriptor); // close_socket is here
    return result == 0 ? descriptor : -1;
}

int drop_connection(int connection) {
    int closed = close_socket(connection); // drop_connection is here
    return closed + 1;
}

int handle_request(int connection) {
    int dropped = drop_connection(connection); // handle_request is here
    return dropped - 1;
}
#endif

#ifndef LIBRARY
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void must(int done, const char *what) {
    if (!done) {
        perror(what);
        exit(1);
    }
}

static struct addrinfo *resolve(const char *address, const char *port) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
    must(getaddrinfo(address, port, &hints, &found) == 0, address);
    return found;
}

static void say_port(int socket) {
    struct sockaddr_in6 name;
    socklen_t length = sizeof name;
    must(getsockname(socket, (struct sockaddr *)&name, &length) == 0, "getsockname");
    printf("%d\n", ntohs(name.sin6_port)); // where an IPv4 address has its port, too
    fflush(stdout);
}

static int connection(int count, char **words) {
    int client = count == 4 && strcmp(words[1], "client") == 0;
    must(client || (count == 3 && strcmp(words[1], "server") == 0), "client ADDRESS PORT | server ADDRESS");
    struct addrinfo *target = resolve(words[2], client ? words[3] : "0");
    int made = socket(target->ai_family, SOCK_STREAM, 0);
    if (client) {
        must(connect(made, target->ai_addr, target->ai_addrlen) == 0, "connect");
        say_port(made);
        return made;
    }
    must(bind(made, target->ai_addr, target->ai_addrlen) == 0, "bind");
    must(listen(made, 1) == 0, "listen");
    say_port(made);
    int accepted = accept(made, NULL, NULL);
    must(accepted >= 0, "accept");
    puts("accepted");
    fflush(stdout);
    return accepted;
}

#ifdef THREAD
static void *wait_for_ever(void *nothing) {
    for (;;)
        pause();
    return nothing;
}
#endif

int main(int count, char **words) {
#ifdef THREAD
    pthread_t thread;
    must(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0, "pthread_create");
#endif
    int open = connection(count, words);
    char line[16];
    must(fgets(line, sizeof line, stdin) != NULL, "a line");
    must(handle_request(open) == open, "close");
    puts("closed");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL)
        ; // whoever asks for our symbols may take its time
    return 0;
}
#endif
