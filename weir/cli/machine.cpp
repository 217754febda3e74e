#include "weir/cli/machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "weir/base/log.hpp"
#include "weir/cli/data_folder.hpp"
#include "weir/cli/offer.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"
#include "weir/exec/machine_checks.hpp"

namespace weir::cli {
namespace {

// Measures in another thread, so that this one can show that something happens.
std::optional<exec::ProbeRecord> probed(const std::string& data, bool quiet) {
    Progress progress("measuring this machine's processors, once", 0, "", quiet);
    auto measuring = std::async(std::launch::async, [&data] { return exec::measured_rates(data); });
    const auto began = std::chrono::steady_clock::now();
    while (measuring.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
        const auto passed = std::chrono::steady_clock::now() - began;
        progress.note(
            duration_cell(std::chrono::duration_cast<std::chrono::milliseconds>(passed).count()));
    }
    progress.finish();
    auto rates = measuring.get();
    if (!rates) {
        // Jobs run without rates as well as with them; only the knowledge is missing.
        log::warn("rates were not measured: " + rates.error().message);
        note("rates were not measured: " + rates.error().message);
        return std::nullopt;
    }
    return std::move(rates->record);
}

std::vector<api::Check> as_checks(const std::vector<exec::MachineCheck>& found) {
    std::vector<api::Check> checks;
    for (const exec::MachineCheck& check : found) {
        const api::CheckState state = check.health == exec::Health::ok     ? api::CheckState::ok
                                      : check.health == exec::Health::warn ? api::CheckState::warn
                                                                           : api::CheckState::fail;
        checks.push_back({check.name, state, check.detail});
    }
    return checks;
}

// How the rates came about: on a busy machine they are too low, and nobody else would say so.
api::Check check_of(const exec::ProbeRecord& probe) {
    const bool busy = probe.load_average > 0.5 * std::max(1U, probe.threads);
    return {
        "measured rates",
        busy ? api::CheckState::warn : api::CheckState::ok,
        fmt::format("measured {} in {} with {} threads at a load of {:.1f}{}",
                    format_time(Time{Duration{probe.measured_at.time_since_epoch() -
                                              probe.measured_at.time_since_epoch() % seconds(1)}}),
                    duration_cell(static_cast<std::int64_t>(probe.seconds * 1000)),
                    probe.threads,
                    probe.load_average,
                    busy ? "; something else was running, so they are too low: remove "
                           "probe.json from the data folder and start the hub again when the "
                           "machine is quiet"
                         : "")};
}

}  // namespace

Result<Machine> look_at_machine(const std::string& fleet_file, bool oversubscribe) {
    Machine machine;
    machine.discovery = exec::discover();
    machine.by_file = !fleet_file.empty();
    if (!machine.by_file) {
        machine.fleet = machine.discovery.fleet;
        return machine;
    }
    WEIR_TRY(Offer offer, read_offer(fleet_file, machine.discovery, oversubscribe));
    machine.fleet = std::move(offer.fleet);
    machine.notes = std::move(offer.notes);
    return machine;
}

void prepare_machine(Machine& machine, const std::string& data, bool quiet) {
    machine.delegation = exec::take_delegation();
    if (!machine.by_file) machine.probe = probed(data, quiet);
}

std::optional<catalog::ChipRecord> measured_record(const Machine& machine) {
    if (!machine.probe) return std::nullopt;
    catalog::ChipRecord record{.name = "cpu"};
    // The probe used all packages together.
    const double packages = std::max(1U, machine.discovery.machine.packages);
    for (const exec::MeasuredRate& measured : machine.probe->rates) {
        const bool memory = measured.name == "memory";
        if (!memory && !catalog::format_from_name(measured.name)) continue;
        catalog::Rate rate{.format = memory ? "" : measured.name,
                           .op = memory ? "memory" : "gemm",
                           .value = measured.best / packages,
                           .basis = catalog::Basis::measured,
                           .date = machine.probe->measured_at};
        if (measured.name == "int8") rate.exact = measured.exact;
        rate.source = measured.implementation;
        record.rates.push_back(std::move(rate));
    }
    return record;
}

std::vector<api::Rate> rates_of(const Machine& machine, const fleet::Pool& pool) {
    std::vector<api::Rate> rates;
    if (!machine.probe || pool.chip != "cpu") return rates;
    // The probe used all packages together; a chip of kind "cpu" is one of them.
    const double chips = std::max(1U, pool.chips_per_node);
    for (const exec::MeasuredRate& rate : machine.probe->rates) {
        rates.push_back({rate.name, rate.best / chips, rate.unit, "measured"});
    }
    return rates;
}

std::vector<api::Check> checks_of(const Machine& machine, const std::string& data) {
    exec::MachineCheckOptions options;
    options.data_dir = data.empty() ? "." : data;
    options.delegation = machine.delegation;
    options.discovery = machine.discovery;
    std::vector<api::Check> checks = as_checks(exec::machine_checks(options));
    if (const std::string seen = data.empty() ? "" : seen_by_others(data); !seen.empty()) {
        checks.push_back({"privacy", api::CheckState::warn, seen});
    }
    if (machine.probe) checks.push_back(check_of(*machine.probe));
    return checks;
}

std::vector<api::Check> checks_of_this_machine() {
    std::error_code problem;
    Machine machine;
    machine.discovery = exec::discover();
    machine.delegation = exec::look_for_delegation();
    // The disk that a hub started here would use.
    const bool used = std::filesystem::is_directory(".weir", problem);
    return checks_of(machine, used ? ".weir" : "");
}

}  // namespace weir::cli
