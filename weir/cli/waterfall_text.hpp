// The waterfall of a simulation as text: a table for people, JSON and CSV for programs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "weir/sim/report_runs.hpp"
#include "weir/tenancy/waterfall.hpp"

namespace weir::cli {

// In columns of the terminal.
std::size_t widest_line(const std::string& table);

// Empty where nothing was counted.
std::string waterfall_table(const tenancy::Books& books, bool classic);
// A column for each run where that fits, else a row; shares of the peak.
std::string waterfalls_table(const std::vector<sim::RunSummary>& runs, std::size_t width);

// An object. Amounts are whole numbers of millionths of a chip-second (or CPU-second), of any size.
std::string waterfall_json(const tenancy::Books& books);

// One line each, with its '\n': of a "site", a "pool", a "tenant", a "job" or the "total".
std::string waterfall_csv_titles();
std::string waterfall_csv_row(std::string_view of,
                              std::string_view name,
                              const tenancy::Losses& losses);
// All but the jobs.
std::string waterfall_csv_books(const tenancy::Books& books);

}  // namespace weir::cli
