"""EXAMPLES: texts of our own to read along, each with something in its beginning that helps to predict its end."""

PYTHON = '''"""Count how often each word stands in the lines of a file."""

import re
import sys
from collections import Counter

WORD = re.compile(r"[a-z]+")


class WordCounter:
    """Counts words, and remembers on which line each was seen first."""

    def __init__(self, shortest_word):
        self.shortest_word = shortest_word
        self.counts = Counter()
        self.first_line = {}

    def add_line(self, number, line):
        for word in WORD.findall(line.lower()):
            if len(word) < self.shortest_word:
                continue
            self.counts[word] += 1
            self.first_line.setdefault(word, number)

    def most_common(self, count):
        return [(word, self.counts[word], self.first_line[word]) for word, _ in self.counts.most_common(count)]


def main():
    counter = WordCounter(shortest_word=4)
    with open(sys.argv[1]) as file:
        for number, line in enumerate(file, start=1):
            counter.add_line(number, line)
    for word, count, first_line in counter.most_common(10):
        print(word, count, first_line)


if __name__ == "__main__":
    main()
'''

NAMES = """Marguerite Delacroix-Whitlock kept the lighthouse at Orrinsay for thirty-one years. Nobody on the island remembered who had kept it before.

In the winter of the long storm the lamp failed twice. The first time, Marguerite Delacroix-Whitlock climbed the stairs with a tin of oil under her coat. \
The second time there was no oil left on Orrinsay, so she burned the stairs instead, one step after the other, from the bottom up.

When the supply boat came in March, the captain found the lamp still lit and the tower without a single step. He asked who had done this. \
"Marguerite Delacroix-Whitlock," said the people of Orrinsay, "and she would like a ladder."
"""

LIST = """Planets of the table, with the number of the drawer:

1. Mercury: drawer 58
2. Venus: drawer 13
3. Earth: drawer 77
4. Mars: drawer 20
5. Jupiter: drawer 94
6. Saturn: drawer 36

Check the list once more:

1. Mercury: drawer 58
2. Venus: drawer 13
3. Earth: drawer 77
4. Mars: drawer 20
5. Jupiter: drawer 94
6. Saturn: drawer 36

And backwards:

6. Saturn: drawer 36
5. Jupiter: drawer 94
4. Mars: drawer 20
3. Earth: drawer 77
2. Venus: drawer 13
1. Mercury: drawer 58
"""

EXAMPLES = {"A page of Python": PYTHON, "A story with a name": NAMES, "A list, three times": LIST}
