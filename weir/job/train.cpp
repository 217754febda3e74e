#include "weir/job/train.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>

#include "weir/base/text_file.hpp"
#include "weir/catalog/model.hpp"
#include "weir/job/check_spec.hpp"
#include "weir/job/job.hpp"

namespace weir::job {
namespace {

std::optional<std::uint32_t> count_in(std::string_view digits) {
    std::uint32_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value);
    if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return value;
}

}  // namespace

Result<ChipRange> chip_range_from_text(std::string_view text) {
    const auto dots = text.find("..");
    const auto low = count_in(text.substr(0, dots));
    const auto high = dots == std::string_view::npos ? low : count_in(text.substr(dots + 2));
    if (low && high && *low > 0 && *low <= *high && *high <= train_chips_max) {
        return ChipRange{*low, *high};
    }
    return fail(Code::invalid, "is not a number of chips or a range of them: write 64 or 16..256");
}

std::string text_of(const ChipRange& range) {
    return range.low == range.high ? std::to_string(range.low)
                                   : fmt::format("{}..{}", range.low, range.high);
}

bool is_path(std::string_view model) {
    constexpr std::string_view ending = ".json";
    return model.find('/') != std::string_view::npos ||
           (model.size() > ending.size() && model.substr(model.size() - ending.size()) == ending);
}

Result<void> read_train_config(JobSpec& spec, const std::string& folder) {
    if (!spec.train || !is_path(spec.train->model)) return {};
    const std::string& model = spec.train->model;
    std::string path = model.front() == '/' || folder.empty() ? model : folder + "/" + model;
    std::error_code ignored;
    const bool is_there = std::filesystem::exists(path, ignored);
    // "meta-llama/Llama-3.1-8B" is a name, too.
    if (!is_there && catalog::find_model(model.substr(model.rfind('/') + 1)) != nullptr) return {};
    if (std::filesystem::is_directory(path, ignored)) path += "/config.json";
    auto text = read_text_file(path, train_config_bytes_max);
    if (!text) return fail(text.error().at("train.model"));
    spec.train->config = *std::move(text);
    return {};
}

}  // namespace weir::job
