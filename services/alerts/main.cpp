#include "services/alerts/delivery.h"
#include "services/alerts/state.h"

int main(int argc, char** argv) {
  using namespace xundian;
  std::optional<alerts::Delivery> delivery;
  if (const auto home = alerts::home_to_deliver(argc, argv)) delivery.emplace(*home);
  return run_service(argc, argv, alerts::definition());
}
