#include "weir/plan/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "weir/base/assert.hpp"
#include "weir/base/embedded.hpp"
#include "weir/base/schema.hpp"

namespace weir::plan {

// The file catalog/calibration.yaml (cmake/embed.cmake makes the table).
std::span<const EmbeddedFile> embedded_files();

namespace {

using C = ChipCalibration;
using L = LinkCalibration;

constexpr std::array<ChipConstant, 15> of_chips{{
    {"gemm_share", &C::gemm_share, 0.2, 1.0, "Share of the BF16 peak that large products reach"},
    {"gemm_fp8_share", &C::gemm_fp8_share, 0.2, 1.0, "The same of the FP8 peak"},
    {"gemm_area", &C::gemm_area, 0, 1e7, "Elements of a result lost to the last wave"},
    {"gemm_store_share",
     &C::gemm_store_share,
     0.1,
     4.0,
     "Share of the bandwidth, by products that write results"},
    {"attention_share", &C::attention_share, 0.05, 1.0, "Share of the peak, attention forward"},
    {"attention_back_share", &C::attention_back_share, 0.05, 1.0, "The same, backward"},
    {"attention_older",
     &C::attention_older,
     0.2,
     1.0,
     "Share of that which attention written for older chips reaches"},
    {"attention_length", &C::attention_length, 0, 8000, "Keys lost to start and end of attention"},
    {"memory_share", &C::memory_share, 0.2, 1.0, "Share of the bandwidth, by moving kernels"},
    {"kernel_s",
     &C::kernel_s,
     1e-6,
     2e-5,
     "Seconds from the end of a kernel to the next one's work"},
    {"host_s", &C::host_s, 0, 1e-3, "Seconds until the host has issued a kernel"},
    {"step_s", &C::step_s, 0, 2, "Seconds of each step beside the layers"},
    {"straggle", &C::straggle, 0, 0.2, "Share of a step for each doubling of the nodes"},
    {"overlap_slowdown", &C::overlap_slowdown, 0, 1, "Share of hidden communication lost"},
    {"spread", &C::spread, 0.01, 2, "Standard deviation of log(measured / predicted)"},
}};

constexpr std::array<LinkConstant, 3> of_links{{
    {"bandwidth_share", &L::bandwidth_share, 0.05, 1.0, "Share of the bandwidth, collectives"},
    {"alltoall_share", &L::alltoall_share, 0.02, 1.0, "The same, all-to-all"},
    {"latency_s", &L::latency_s, 0, 1e-2, "Seconds of one step of a collective"},
}};

template <class Constants>
schema::Object table_of(std::string_view name,
                        std::string_view doc,
                        std::vector<schema::Field> fields,
                        const Constants& constants) {
    schema::Object table{name, doc, std::move(fields), {}};
    table.fields.push_back({"source", schema::text(), "On what they were fitted", "", "", true});
    for (const auto& constant : constants) {
        table.fields.push_back({constant.name,
                                schema::number(constant.low, constant.high),
                                constant.doc,
                                "",
                                "that of the level above"});
    }
    return table;
}

const schema::Object& file_table() {
    const schema::Field names{"names",
                              schema::list_or_one(schema::text()),
                              "Whose they are; any stands for all that have no entry",
                              "[h100-sxm-80g]",
                              "",
                              true};
    static const schema::Object laws{
        "laws",
        "How shares follow datasheets.",
        {{"power_flops_per_watt",
          schema::number(1e11, 1e14),
          "Peak for each watt from which on power limits the clock of products"},
         {"power_fp8_flops_per_watt", schema::number(1e11, 1e14), "The same of products in FP8"},
         {"memory_share_by_bandwidth",
          schema::number(-1, 1),
          "Exponent of the bandwidth, of its share that moving kernels reach"}},
        {}};
    static const schema::Object family = table_of(
        "family",
        "What chips of one design reach.",
        {{"name", schema::text(), "What it is called", "hopper", "", true},
         {"chips", schema::list_of(schema::text()), "Who belongs to it", "[h200]", "", true}},
        of_chips);
    static const schema::Object chip =
        table_of("chip", "What a kind of chip reaches.", {names}, of_chips);
    static const schema::Object link =
        table_of("link", "What a kind of link reaches.", {names}, of_links);
    static const schema::Object file{
        "calibration",
        "What measured runs teach beyond datasheets.",
        {{"laws", schema::object(laws), "How shares follow datasheets"},
         {"families", schema::list_of(schema::object(family)), "Chips of one design"},
         {"chips", schema::list_of(schema::object(chip)), "Kinds of chip"},
         {"links", schema::list_of(schema::object(link)), "Kinds of link"}},
        {}};
    return file;
}

template <class Calibration, class Constants>
void read_constants(const schema::View& view, const Constants& constants, Calibration& into) {
    for (const auto& constant : constants) {
        if (const auto value = view.number(constant.name)) into.*constant.member = *value;
    }
    into.source = view.text("source").value_or("");
}

Calibrations read(const schema::View& file) {
    Calibrations all;
    const auto chips = file.objects("chips");
    const auto links = file.objects("links");
    const auto is_any = [](const schema::View& view) { return view.texts("names")[0] == "any"; };
    // What is usual comes first, whatever the order in the file.
    for (const schema::View& view : chips)
        if (is_any(view)) read_constants(view, of_chips, all.any_chip);
    for (const schema::View& view : links)
        if (is_any(view)) read_constants(view, of_links, all.any_link);
    if (const auto laws = file.object("laws")) {
        if (const auto limit = laws->number("power_flops_per_watt"))
            all.laws.power_flops_per_watt = *limit;
        if (const auto limit = laws->number("power_fp8_flops_per_watt"))
            all.laws.power_fp8_flops_per_watt = *limit;
        all.laws.memory_share_by_bandwidth = laws->number("memory_share_by_bandwidth").value_or(0);
    }
    for (const schema::View& view : file.objects("families")) {
        ChipFamily family{view.text("name").value_or(""), view.texts("chips"), all.any_chip};
        read_constants(view, of_chips, family.constants);
        family.constants.family_fitted = view.number("gemm_share").has_value();
        all.families.push_back(std::move(family));
    }
    for (const schema::View& view : chips) {
        if (is_any(view)) continue;
        Calibrations::ChipEntry entry{view.texts("names"), view.text("source").value_or(""), {}};
        for (const ChipConstant& constant : of_chips) {
            if (const auto value = view.number(constant.name))
                entry.said.emplace_back(constant.member, *value);
        }
        all.chips.push_back(std::move(entry));
    }
    for (const schema::View& view : links) {
        if (is_any(view)) continue;
        LinkCalibration link = all.any_link;
        read_constants(view, of_links, link);
        link.fitted = true;
        link.alltoall_fitted = view.number("alltoall_share").has_value();
        if (!link.alltoall_fitted)
            link.alltoall_share =
                link.bandwidth_share * all.any_link.alltoall_share / all.any_link.bandwidth_share;
        for (const std::string& name : view.texts("names"))
            all.links[name] = link;
    }
    return all;
}

bool is_among(std::string_view name, const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// Between a clock that nothing limits and one that power does: how soft the corner is.
constexpr double power_corner = 6;
// Of a chip whose power nobody states: that of H100, between those of its time.
constexpr double usual_flops_per_watt = 1.4e12;

double throttle(double flops_per_watt, double usual, double limit) {
    const double flops = flops_per_watt > 0 ? flops_per_watt : usual;
    return std::pow(1 + std::pow(flops / limit, power_corner), -1 / power_corner);
}

}  // namespace

std::span<const ChipConstant> chip_constants() {
    return of_chips;
}
std::span<const LinkConstant> link_constants() {
    return of_links;
}

double power_factor(const Laws& laws, const Datasheet& sheet) {
    return throttle(sheet.flops_per_watt, usual_flops_per_watt, laws.power_flops_per_watt);
}
double power_fp8_factor(const Laws& laws, const Datasheet& sheet) {
    return throttle(
        sheet.fp8_flops_per_watt, 2 * usual_flops_per_watt, laws.power_fp8_flops_per_watt);
}
double bandwidth_factor(const Laws& laws, const Datasheet& sheet) {
    if (sheet.memory_bytes_per_s <= 0) return 1;
    return std::pow(sheet.memory_bytes_per_s / usual_memory_bytes_per_s,
                    laws.memory_share_by_bandwidth);
}

const ChipFamily* Calibrations::family(std::string_view chip) const {
    for (const ChipFamily& one : families)
        if (is_among(chip, one.chips)) return &one;
    return nullptr;
}

const Calibrations::ChipEntry* Calibrations::entry(std::string_view chip) const {
    for (const ChipEntry& one : chips)
        if (is_among(chip, one.names)) return &one;
    return nullptr;
}

ChipCalibration Calibrations::chip(std::string_view name, const Datasheet& sheet) const {
    const ChipFamily* const kin = family(name);
    ChipCalibration chip = kin != nullptr ? kin->constants : any_chip;
    chip.gemm_share *= power_factor(laws, sheet);
    chip.gemm_fp8_share *= power_fp8_factor(laws, sheet);
    chip.memory_share *= bandwidth_factor(laws, sheet);
    if (const ChipEntry* const own = entry(name)) {
        for (const auto& [member, value] : own->said)
            chip.*member = value;
        chip.source = own->source;
        chip.fitted = chip.family_fitted = true;
    }
    for (const ChipConstant& constant : of_chips)
        chip.*constant.member = std::clamp(chip.*constant.member, constant.low, constant.high);
    return chip;
}

const LinkCalibration& Calibrations::link(std::string_view kind) const {
    const auto found = links.find(kind);
    return found != links.end() ? found->second : any_link;
}

const Calibrations& built_in_calibrations() {
    static const Calibrations made = [] {
        Calibrations all;
        for (const EmbeddedFile& file : embedded_files()) {
            const auto node = yaml::parse(file.bytes, file.path);
            // Our own file; a test reads it, too.
            WEIR_ASSERT(node.has_value());
            WEIR_ASSERT(schema::check(file_table(), *node, file.path).has_value());
            all = read(schema::View(*node));
        }
        return all;
    }();
    return made;
}

}  // namespace weir::plan
