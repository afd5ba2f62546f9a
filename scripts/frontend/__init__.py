"""The front end of spanbench: starts the programs in build/, keeps what they say, shows it.

From the ground up, each part importing only those before it (`make lint` checks that):

    failure paths progress   what ends a command, where things lie, what is shown meanwhile
    allocators/              which there are, and how one is put under a program
    figures/                 result files, statistics, tables
    measuring/               running traces, workloads and programs, and counting
    charts/ page/            results for the eye; all markup is in page/templates
    comparing/               two result files side by side
    gate/                    the regression gate
    verbs/                   what the command can do, a module a verb
    cli                      the command
"""
