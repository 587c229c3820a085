#include "services/metrics/state.h"

int main(int argc, char** argv) { return xundian::run_service(argc, argv, xundian::metrics::definition()); }
