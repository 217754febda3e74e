// The data folder of a hub: made for its owner alone.
//
// The journal keeps what jobs were given, and with `--export all` that is the whole environment of
// whoever submitted them, tokens included; runs/ keeps what they wrote. So a folder that the hub
// makes can be entered by nobody else. One that was there before keeps its mode, since somebody
// may have meant it, and `weir up` and `weir doctor` say what that means.
#pragma once

#include <string>
#include <string_view>

#include "weir/base/result.hpp"

namespace weir::cli {

// Makes the folder and its runs/ where they are missing; its absolute path, without a slash at the
// end. `option` stands in front of errors.
Result<std::string> made_data_folder(const std::string& given, std::string_view option);

// What other users of the machine can see there, as a sentence; "" when they see nothing.
std::string seen_by_others(const std::string& folder);

// The whole file or none: whoever reads it never sees half of it.
Result<void> write_whole(const std::string& path, const std::string& text);

}  // namespace weir::cli
