#include "weir/job/array_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace weir::job {
namespace {

std::optional<std::uint32_t> number_of(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

tl::unexpected<Error> wrong(std::string_view text) {
    return fail(Code::invalid,
                fmt::format("'{}' is not a list of indices: write ranges such as 0-99, with a "
                            "step 0-98:2, with single ones 1,3,5-9, and %10 at the end for at "
                            "most 10 at once",
                            text.substr(0, 60)));
}

}  // namespace

Result<Array> parse_array(std::string_view text) {
    Array array;
    std::string_view rest = text;
    if (const auto percent = rest.find('%'); percent != std::string_view::npos) {
        const auto at_once = number_of(rest.substr(percent + 1));
        if (!at_once || *at_once == 0) return wrong(text);
        array.at_once_max = *at_once;
        rest = rest.substr(0, percent);
    }
    for (bool more = true; more;) {
        const auto comma = rest.find(',');
        more = comma != std::string_view::npos;
        std::string_view item = rest.substr(0, comma);
        if (more) rest.remove_prefix(comma + 1);

        std::optional<std::uint32_t> step = 1;
        if (const auto colon = item.find(':'); colon != std::string_view::npos) {
            step = number_of(item.substr(colon + 1));
            item = item.substr(0, colon);
            if (item.find('-') == std::string_view::npos) return wrong(text);
        }
        const auto dash = item.find('-');
        const auto first = number_of(item.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : number_of(item.substr(dash + 1));
        if (!first || !last || !step || *step == 0 || *first > *last) return wrong(text);
        if (*last > array_index_max) {
            return fail(
                Code::invalid,
                fmt::format(
                    "the index {} is out of range; valid are 0 to {}", *last, array_index_max));
        }
        if ((*last - *first) / *step + 1 + array.indices.size() > array_members_max) {
            return fail(
                Code::too_large,
                fmt::format(
                    "'{}' has more than {} members", text.substr(0, 60), array_members_max));
        }
        for (std::uint64_t index = *first; index <= *last; index += *step) {
            array.indices.push_back(static_cast<std::uint32_t>(index));
        }
    }
    std::sort(array.indices.begin(), array.indices.end());
    array.indices.erase(std::unique(array.indices.begin(), array.indices.end()),
                        array.indices.end());
    return array;
}

std::string array_text(const Array& array) {
    std::string out;
    const auto& indices = array.indices;
    for (std::size_t i = 0; i < indices.size();) {
        // As far as the distance to the next one stays the same.
        std::size_t end = i + 1;
        const std::uint32_t step = end < indices.size() ? indices[end] - indices[i] : 1;
        while (end < indices.size() && indices[end] - indices[end - 1] == step)
            ++end;
        if (!out.empty()) out += ',';
        // Two members of a stepped range are shorter as two single ones.
        if (end - i < 3 && step != 1) end = i + 1;
        if (end - i == 1) {
            out += std::to_string(indices[i]);
        } else {
            out += fmt::format("{}-{}", indices[i], indices[end - 1]);
            if (step != 1) out += fmt::format(":{}", step);
        }
        i = end;
    }
    if (array.at_once_max > 0) out += fmt::format("%{}", array.at_once_max);
    return out;
}

}  // namespace weir::job
