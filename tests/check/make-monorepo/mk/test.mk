COVER := cover.out

define run-tests
@echo "tests of $(1)"
-cd $(1) && $(GO) test -coverprofile=$(COVER) ./...
@test -f $(1)/$(COVER)
endef

.PHONY: unit cover
unit:
	$(call run-tests,lib)

cover: unit
	$(GO) tool cover -func lib/$(COVER)
