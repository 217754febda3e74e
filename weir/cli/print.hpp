// Printing: how the commands speak.
//
// Answers go to standard output and nothing else does, so that they can be piped; everything that
// is said about the work (errors, notes, progress) goes to standard error. Colour appears only
// where a terminal reads it and NO_COLOR is not set. A reader that went away (`weir ps | head`)
// ends the command quietly with the status that a shell shows for SIGPIPE, 141.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"

namespace weir::cli {

// What several commands answer beside base/result's table.
inline constexpr int status_ok = 0;
inline constexpr int status_failed = 1;
inline constexpr int status_usage = 2;
inline constexpr int status_timeout = 124;
inline constexpr int status_interrupted = 130;
inline constexpr int status_pipe_closed = 141;

// Writes everything to standard output (fd 1); ends the process when nobody reads any more.
void out(std::string_view text);
// For output that another room wrote to standard output and could not: ends the process in the same
// way, if that is why.
void end_if_nobody_reads();
// Writes everything to the descriptor; false when it cannot take it.
bool write_all(int fd, std::string_view text);
// JSON as the hub sent it, ended by a newline.
void out_json(std::string_view json);

// "weir: " + sentence, on standard error.
void note(std::string_view sentence);
// The same for an error; returns its exit status.
int report(const Error& error);

enum class Tone : std::uint8_t { plain, good, bad, busy, waiting, quiet, strong };
bool colour_on(int fd);
std::string paint(std::string_view text, Tone tone, int fd = 1);
Tone tone_of_state(std::string_view state);

// Colours one column of a finished table, the one under `title`: widths stay what they were.
std::string paint_column(const std::string& table,
                         std::string_view title,
                         const std::function<Tone(std::string_view)>& tone_of);

// "-" when there is nothing to say.
std::string duration_cell(std::optional<std::int64_t> from_ms, std::optional<std::int64_t> to_ms);
std::string duration_cell(std::int64_t duration_ms);
std::string time_cell(std::optional<std::int64_t> at_ms);
// "by 14:20" for a promise, "~14:20" for an estimate, in the time zone of the reader and with the
// day where that is not today; "-" when it is not known.
std::string start_cell(std::optional<std::int64_t> at_ms, bool promised);
// 2 -> "2", 0.5 -> "0.5".
std::string number_cell(double value);

// A text that begins at `column`, broken between words so that no line goes beyond `width`; further
// lines begin at `column` too. A word that is longer stands alone. width 0 = on one line.
std::string wrapped(std::string_view text, std::size_t column, std::size_t width);
// How wide standard output is: 0 when it is no terminal, so that nothing is cut or broken for
// whoever reads it later.
std::size_t output_width();

std::int64_t now_ms();

// The nearest of several words to a mistyped one, "" when none is near.
std::string nearest(std::string_view wrong, const std::vector<std::string>& words);

// A word as a POSIX shell reads it back: plain when it can be, else in single quotes.
std::string shell_quoted(std::string_view word);

}  // namespace weir::cli
