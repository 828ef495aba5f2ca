"""Functions of three interpreters in one process."""
import _xxsubinterpreters as interpreters

SOURCE = """
def inside(n):
    return n if n == 0 else inside(n - 1)

for _ in range(5):
    inside(3)
"""


def run(i):
    interpreters.run_string(i, SOURCE)


for _ in range(3):
    i = interpreters.create()
    run(i)
    run(i)
    interpreters.destroy(i)
