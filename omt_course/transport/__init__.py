"""Moving mass: domains, exact Laguerre cells, damped Newton, Monte-Carlo, extension."""
