"""Two greenlets that switch to each other in the middle of their calls; 4 entries of x, 4 of y."""
from greenlet import greenlet


def x(n):
    other.switch()
    return n


def y(n):
    first.switch()
    return n


def a():
    for n in range(4):
        x(n)


def b():
    for n in range(4):
        y(n)


first, other = greenlet(a), greenlet(b)
first.switch()
