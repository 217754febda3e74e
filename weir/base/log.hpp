// Log lines for operators: one line each, UTC time first, on stderr or in a file.
//
// The decision core never logs: it returns reasons. Only the live rooms (store, exec, hub, api,
// cli) include this header, which hides the logging library from everybody else.
#pragma once

#include <string>
#include <string_view>

namespace weir::log {

enum class Level { debug, info, warn, error };

// Where lines go: "" = stderr, else a file that is appended to. Call once at start-up.
void open(const std::string& path, Level least);

void debug(std::string_view text);
void info(std::string_view text);
void warn(std::string_view text);
void error(std::string_view text);

}  // namespace weir::log
