import unittest

from record_test import recorded
from report import tables
from report.names import Name


class TablesTest(unittest.TestCase):
    def test_numbers_have_three_digits_that_count_and_a_unit(self):
        self.assertEqual(tables.readable_time(13.126), "13.1 ns")
        self.assertEqual(tables.readable_time(2.5e6), "2.5 ms")
        self.assertEqual(tables.readable_amount(4600, "bytes_per_task"), "4.49 KiB")
        self.assertEqual(tables.readable_amount(1160, "p99_us"), "1,160 µs")
        self.assertEqual(tables.readable_amount(2.04, "syscalls_per_request"), "2.04")

    def test_a_backend_is_compared_with_the_library_below_it(self):
        kept = recorded(*[{"a.x/asyncio@ev": 11.0, "a.x/raw_libev": 10.0, "a.x/libuv": 5.0}] * 3)
        found = tables.cell(kept, "a.x", "asyncio@ev", (), "time")
        self.assertEqual(str(found), "11 ns ±0%, 1.10× raw_libev")

    def notes(self, contender, **times):
        kept = recorded(*[{f"a.x/{who.replace('_at_', '@')}": t for who, t in times.items()}] * 3)
        return tables.cell(kept, "a.x", contender, (), "time").notes

    def test_without_one_it_is_compared_with_the_fastest_peer(self):
        self.assertEqual(self.notes("asyncio", asyncio=4.0, go=8.0, tokio=16.0), ("0.50× go",))
        self.assertEqual(self.notes("go", asyncio=4.0, go=8.0), ())

    def test_what_it_costs_beyond_work_by_hand_is_shown_even_where_it_beats_every_peer(self):
        by_hand = {"raw_libev": 8.0, "raw_libevent": 2.0}
        self.assertEqual(
            self.notes("asyncio", asyncio=4.0, go=8.0, **by_hand),
            ("2.00× raw_libevent", "0.50× go"),
        )
        self.assertEqual(self.notes("asyncio", asyncio=4.0, bare=1.0, **by_hand), ("4.00× bare",))

    def test_a_backend_without_the_library_below_is_compared_with_epoll_before_peers(self):
        times = {"asyncio_at_select": 4.0, "go": 1.0, "raw_libev": 1.0}
        self.assertEqual(self.notes("asyncio@select", raw_epoll=2.0, **times), ("2.00× raw_epoll",))
        self.assertEqual(self.notes("asyncio@select", **times), ("4.00× go",))

    def test_a_table_has_a_row_for_each_contender_and_a_column_for_each_parameter(self):
        kept = recorded({"a.x/asyncio/n:2": 1.0, "a.x/asyncio/n:10": 2.0, "a.x/bare/n:10": 3.0})
        table = tables.subject_tables(kept, "a.x")[0]
        self.assertEqual(table.head, ["contender", "n 2", "n 10"])
        self.assertEqual(
            [[cell.text for cell in row] for row in table.rows],
            [["asyncio", "1 ns", "2 ns"], ["bare", "", "3 ns"]],
        )

    def test_what_all_columns_share_stands_in_the_title(self):
        kept = recorded({"a.x/bare/n:2/k:1": 1.0, "a.x/bare/n:3/k:1": 2.0})
        self.assertEqual(
            tables.subject_tables(kept, "a.x")[0].title, "a.x: time per operation, k 1"
        )

    def test_many_columns_become_a_table_for_each_value_of_their_first_parameter(self):
        rows = {f"a.x/bare/op:{op}/n:{n}": 1.0 for op in ("add", "drop") for n in range(5)}
        found = tables.subject_tables(recorded(rows), "a.x")
        self.assertEqual(
            [table.title for table in found],
            ["a.x: time per operation, op add", "a.x: time per operation, op drop"],
        )

    def test_a_wide_table_is_continued_below(self):
        cells = [tables.Cell("x" * 60)] * 2
        text = tables.as_text(
            tables.Table("t", ["row", "one", "two"], [[tables.Cell("r"), *cells]])
        )
        self.assertEqual(
            [line.split()[0] for line in text.splitlines() if line], ["t", "row", "r", "row", "r"]
        )
        self.assertLessEqual(max(map(len, text.splitlines())), tables.WIDTH)

    def test_medians_are_by_contender(self):
        kept = recorded({"a.x/bare/n:2": 1.0, "a.x/go/n:2": 5.0, "a.x/go/n:3": 6.0})
        self.assertEqual(
            tables.medians(kept, "a.x", Name("a.x", "go", (("n", "2"),)).parameters),
            {"bare": 1.0, "go": 5.0},
        )
