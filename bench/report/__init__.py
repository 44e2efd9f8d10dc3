"""Runs the benchmark programs and reports what they say.

    python3 -m report --help          (with bench/ in PYTHONPATH; ./dev bench does that)

One idea in each module, in the order in which a run uses them:

    names           what a benchmark's name says
    programs        which programs there are, and what each can measure
    processors      which processor each side of a program has
    run             one program, once, on one processor
    rounds          all of them, in turns
    budget          how often, in the time there is
    collect         from what Google Benchmark writes to samples
    record          the file in which a run is kept
    machine         where it ran
    disturbance     what else ran there
    spread          medians, their noise, and what a difference means
    contenders      who competes, and with whom each is compared
    subjects        what each benchmark is about, for the reader
    tables          samples as tables, for terminals and Markdown
    backends_table  the first question about a backend, answered
    targets         what must be reached, and whether it was
    losses          where this library is dearer, the greatest loss first
    compare         two runs, row by row
    drawing         how every picture is drawn
    plots           samples as pictures
    page            everything on one HTML page
"""
