/*
 * Prints each signal that it gets: its number and the value that was sent with it. Before, those
 * that it found ignored. Ends at SIGTERM, with status 6.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    sigset_t all;
    siginfo_t info;
    struct sigaction action;
    sigfillset(&all);
    sigdelset(&all, SIGTSTP); /* stops us, as it should */
    sigprocmask(SIG_BLOCK, &all, NULL);
    free(malloc(10));
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            printf("ignored %d\n", number);
    puts("ready");
    do {
        fflush(stdout);
        if (sigwaitinfo(&all, &info) > 0)
            printf("%d %d\n", info.si_signo,
                   info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
    } while (info.si_signo != SIGTERM);
    return 6;
}
