"""Runs the benchmark programs and reports what they say.

    python3 -m report --help          (with bench/ in PYTHONPATH; ./dev bench does that)

One idea in each module, in the order in which a run uses them:

    names           what a benchmark's name says
    building        the programs that the names need, built
    programs        which programs there are, and what each can measure
    processors      which processor each side of a program has
    run             one program, once, on one processor
    rounds          all of them, in turns
    budget          how often, in the time there is
    collect         from what Google Benchmark writes to samples
    record          the file in which a run is kept
    machine         where it ran
    disturbance     what else ran there
    fitness         whether what was measured there can be trusted
    spread          medians, their noise, and what a difference means
    contenders      who competes, and with whom each is compared
    subjects        what each benchmark is about, for the reader
    tables          samples as tables, for terminals and Markdown
    backends_table  the first question about a backend, answered
    crossings       which of several is cheapest as a number grows
    choice          which backend to choose, in words
    targets         what must be reached, and whether it was
    losses          where this library is dearer, the greatest loss first
    compare         two runs, row by row
    drawing         how every picture is drawn
    plots           samples as pictures
    choice_plots    the pictures that a backend is chosen by
    page            everything on one HTML page
"""
