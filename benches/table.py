"""The table: a row for each measure, with the ratio to the peer. More than 1 is better than it."""


def heading(title):
    print(f"\n## {title}\n")
    row("measure", "Appliance", "peer", "ratio")
    row("---", "---", "---", "---")


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def more_is_better(measure, ours, theirs, peer, show):
    row(measure, show(ours), f"{show(theirs)} ({peer})", ratio(ours, theirs))


def less_is_better(measure, ours, theirs, peer, show):
    row(measure, show(ours), f"{show(theirs)} ({peer})", ratio(theirs, ours))


def ratio(one, other):
    # A peer may be so slow that it answers nothing in the time that is measured.
    return f"{one / other:.2f}" if other else "∞"


def alone(measure, ours):
    row(measure, ours, "", "")


def per_second(value):
    return f"{value:,.0f}/s"


def ms(value):
    return f"{value:.2f} ms" if value < 10 else f"{value:,.0f} ms"


def mib(value):
    return f"{value:,.0f} MiB"


def mib_per_second(value):
    return f"{value:,.0f} MiB/s"
