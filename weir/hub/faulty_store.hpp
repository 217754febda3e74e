// FaultyStore: a store that fails when it is told to. For tests only.
//
// The three ways in which a commit can go wrong: it is refused and nothing is kept; it is refused
// although everything was kept (the error came after the disk had it); or the process dies before
// or after it, which at_boundary brings about by throwing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "weir/store/store.hpp"

namespace weir::hub {

class FaultyStore : public store::Store {
public:
    enum class Fault { none, refuse, keep_and_refuse };

    explicit FaultyStore(store::Store& inner) : inner_(inner) {}

    Result<void> append(store::Batch& batch) override {
        cross("append");
        const Fault fault = fault_of_append ? fault_of_append() : Fault::none;
        if (fault == Fault::refuse) return fail(Code::io, "the disk is full");
        auto appended = inner_.append(batch);
        cross("appended");
        if (fault == Fault::keep_and_refuse) return fail(Code::io, "the disk is not well");
        return appended;
    }
    Result<void> replay(std::uint64_t first,
                        const std::function<Result<void>(const store::Entry&)>& visit) override {
        if (unreadable) return fail(Code::io, "the disk does not answer");
        return inner_.replay(first, visit);
    }
    Result<std::optional<store::Document>> find(std::string_view collection,
                                                std::string_view id) override {
        if (unreadable) return fail(Code::io, "the disk does not answer");
        return inner_.find(collection, id);
    }
    Result<std::vector<store::Document>> list(std::string_view collection,
                                              std::string_view tag,
                                              std::size_t limit) override {
        if (unreadable) return fail(Code::io, "the disk does not answer");
        return inner_.list(collection, tag, limit);
    }

    std::function<Fault()> fault_of_append;
    std::function<void(const char*)> at_boundary;
    bool unreadable = false;

private:
    void cross(const char* where) const {
        if (at_boundary) at_boundary(where);
    }
    store::Store& inner_;
};

}  // namespace weir::hub
