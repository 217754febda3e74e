// Text from outside, as it may stand in a page or a picture.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// What would be markup is escaped, in texts and in attributes; control characters, which XML has no
// place for, become spaces.
std::string escaped(std::string_view text);

}  // namespace weir
