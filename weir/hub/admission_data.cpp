// Admission of jobs that read or make datasets.
#include <algorithm>

#include "weir/base/schema.hpp"
#include "weir/base/units.hpp"
#include "weir/hub/admission.hpp"

namespace weir::hub {
namespace {

// Names for an error: the first few, in order.
std::string named(const std::vector<std::string>& names) {
    constexpr std::size_t named_max = 10;
    if (names.empty()) return "there are none";
    std::string text = "there are ";
    for (std::size_t i = 0; i < names.size() && i < named_max; ++i)
        text += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > named_max)
        text += " and " + std::to_string(names.size() - named_max) + " more";
    return text;
}

}  // namespace

// It lies somewhere, or some job is to make it; and what the fleet file says lies somewhere is
// there as files.
Result<void> Admission::check_dataset(const std::string& dataset) const {
    const sched::Staging& staging = book_.engine().staging();
    const auto id = staging.find(dataset);
    if (!id || !staging.is_anywhere(*id)) {
        if (earlier_made_.count(dataset) > 0 || book_.maker_of(dataset).valid()) return {};
        for (const fleet::Site& site : book_.engine().fleet().sites) {
            if (site.storage.datasets.count(dataset) == 0) continue;
            return fail(Code::not_found,
                        "data.in: the fleet file has dataset " + dataset + " at site " + site.name +
                            ", but there was nothing at " + mover_->folder_of(site.name) + "/" +
                            dataset +
                            " when this hub was started; put it there, or let "
                            "storage.root name the folder in which it is, and start the hub again");
        }
        std::vector<std::string> known;
        for (std::uint32_t i = 0; i < staging.count(); ++i)
            if (staging.is_anywhere(sched::DatasetId{i})) {
                known.push_back(staging.name(sched::DatasetId{i}));
            }
        for (const auto& [made, by] : earlier_made_)
            known.push_back(made);
        std::sort(known.begin(), known.end());
        const auto near =
            schema::nearest(dataset, std::vector<std::string_view>(known.begin(), known.end()));
        return fail(Code::not_found,
                    "data.in: no dataset \"" + dataset +
                        "\" lies anywhere, and no job that waits "
                        "or runs is to make it; " +
                        (near ? "did you mean " + std::string(*near) + "?" : named(known)));
    }
    return {};
}

Result<void> Admission::enter_data(const job::JobSpec& spec, sched::Request& request) {
    if (spec.data_in.empty() && spec.data_out.empty()) return {};
    if (mover_ == nullptr) {
        return fail(Code::unsupported, "data: this hub has nothing that moves datasets");
    }
    if (!spec.data_out.empty() && spec.array) {
        return fail(Code::invalid,
                    "data.out: each member of the array would make the same dataset; let one job "
                    "that comes after the array make it");
    }
    for (const job::DataIn& in : spec.data_in) {
        WEIR_CHECK(check_dataset(in.dataset));
        request.data.push_back(in.dataset);
    }
    const sched::Staging& staging = book_.engine().staging();
    for (const job::DataOut& out : spec.data_out) {
        const std::string what = "data.out: dataset \"" + out.dataset + "\" ";
        const auto id = staging.find(out.dataset);
        const JobId maker = book_.maker_of(out.dataset);
        const auto earlier = earlier_made_.find(out.dataset);
        std::string trouble;
        if (id && staging.is_anywhere(*id)) {
            trouble = "exists already";
        } else if (maker.valid()) {
            trouble = "is to be made by " + book_.described(maker);
        } else if (earlier != earlier_made_.end()) {
            trouble = "is to be made by job \"" + earlier->second + "\" of this submission";
        }
        if (trouble.empty()) continue;
        return fail(Code::conflict,
                    what + trouble + "; a dataset never changes, so give this one another name");
    }
    return {};
}

}  // namespace weir::hub
