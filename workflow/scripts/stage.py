"""Do what the rule says: see the function of its name in epsinas.stages."""

from epsinas import stages
from epsinas.interruption import end_on_signals

end_on_signals()
stages.run(snakemake)
