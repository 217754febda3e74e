#include "weir/hub/register.hpp"

#include <algorithm>
#include <charconv>

namespace weir::hub {
namespace {

std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
        return std::nullopt;
    }
    return number;
}

}  // namespace

Register::Symbol Register::intern(std::string_view text) {
    const auto [entry, added] =
        symbols_.try_emplace(std::string(text), static_cast<Symbol>(texts_.size()));
    if (added) texts_.push_back(&entry->first);
    return entry->second;
}

std::optional<Register::Symbol> Register::symbol_of(std::string_view text) const {
    const auto found = symbols_.find(std::string(text));
    if (found == symbols_.end()) return std::nullopt;
    return found->second;
}

void Register::enter(std::string_view name,
                     std::string_view tenant,
                     std::string_view user,
                     std::uint32_t count,
                     const std::vector<std::uint32_t>& indices) {
    const JobId first = next();
    Line line{.name = intern(name),
              .tenant = intern(tenant),
              .user = intern(user),
              .offset = 0,
              .count = count,
              .state = JobState::pending};
    for (; line.offset < count; ++line.offset)
        lines_.push_back(line);
    if (!indices.empty()) indices_[first] = indices;
    newest_[line.name] = first;
    newest_of_tenant_[{line.tenant, line.name}] = first;
}

std::optional<std::uint32_t> Register::array_index(JobId job) const {
    const auto array = indices_.find(first_of(job));
    if (array == indices_.end()) return std::nullopt;
    return array->second.at(line(job).offset);
}

std::string Register::id_of(JobId job) const {
    const auto index = array_index(job);
    if (!index) return std::to_string(job.value);
    return std::to_string(first_of(job).value) + "_" + std::to_string(*index);
}

std::vector<JobId> members_of(const Register& everybody, JobId first) {
    std::vector<JobId> members;
    const std::uint32_t count = everybody.line(first).count;
    members.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i)
        members.push_back(JobId{first.value + i});
    return members;
}

std::optional<std::vector<JobId>> Register::find_by_id(std::string_view reference) const {
    const auto underscore = reference.find('_');
    const auto number = number_in(reference.substr(0, underscore));
    if (!number || !knows(JobId{*number})) return std::nullopt;
    const JobId job{*number};
    if (underscore == std::string_view::npos) {
        // The id of an array is that of its first member and means all of them; any other
        // number means that one job.
        if (line(job).offset == 0) return members_of(*this, job);
        return std::vector<JobId>{job};
    }
    const auto index = number_in(reference.substr(underscore + 1));
    const auto array = indices_.find(job);
    if (!index || array == indices_.end()) return std::nullopt;
    const auto at = std::find(array->second.begin(), array->second.end(), *index);
    if (at == array->second.end()) return std::nullopt;
    return std::vector<JobId>{
        JobId{job.value + static_cast<std::uint64_t>(at - array->second.begin())}};
}

std::vector<JobId> Register::find(std::string_view reference) const {
    if (auto by_id = find_by_id(reference)) return *std::move(by_id);
    if (const auto named = newest_named(reference)) return members_of(*this, *named);
    return {};
}

std::optional<JobId> Register::newest_named(std::string_view name) const {
    const auto symbol = symbol_of(name);
    if (!symbol) return std::nullopt;
    const auto found = newest_.find(*symbol);
    if (found == newest_.end()) return std::nullopt;
    return found->second;
}

std::optional<JobId> Register::newest_named(std::string_view name, std::string_view tenant) const {
    const auto name_symbol = symbol_of(name);
    const auto tenant_symbol = symbol_of(tenant);
    if (!name_symbol || !tenant_symbol) return std::nullopt;
    const auto found = newest_of_tenant_.find({*tenant_symbol, *name_symbol});
    if (found == newest_of_tenant_.end()) return std::nullopt;
    return found->second;
}

}  // namespace weir::hub
