"""Calls work until its input ends: functions are on the stack when somebody attaches."""
import select
import sys


def work(n):
    return n + 1


def loop():
    n = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        n = work(n)


def outer():
    loop()


print("ready", flush=True)
outer()
